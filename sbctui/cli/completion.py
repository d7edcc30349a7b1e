"""``sbctui completion``: what makes the Tab key know the verbs and the site's names.

Each shell's script asks this program with what is typed, in ``_SBCTUI_COMPLETE`` and its
companions, and gets lines of ``type TAB value TAB help``. Names hold nothing that a shell would
read as more than a word. A type other than ``plain`` asks bash and zsh to complete a path; fish
has no such way for a path after ``=``, so it gets the paths.
"""

from __future__ import annotations

import os
import sys

import click
from click.shell_completion import split_arg_string

from sbctui.cli import output
from sbctui.cli.completing import complete, items
from sbctui.engine.model.text import clean

_BASH = r"""_sbctui_completion() {
    local kind value about
    COMPREPLY=()
    while IFS=$'\t' read -r kind value about; do
        case $kind in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            plain) COMPREPLY+=("$value") ;;
        esac
    done < <(_SBCTUI_COMPLETE=bash _SBCTUI_LINE="${COMP_LINE:0:COMP_POINT}" \
        _SBCTUI_BREAKS="$COMP_WORDBREAKS" command "${1/#\~/$HOME}" 2>/dev/null)
}
complete -o nosort -F _sbctui_completion sbctui
"""

_ZSH = r"""#compdef sbctui
_sbctui_completion() {
    local kind value about
    local -a values
    while IFS=$'\t' read -r kind value about; do
        case $kind in
            dir) compset -P '--*='; _path_files -/ ;;
            file) compset -P '--*='; _path_files ;;
            plain) values+=("${value//:/\\:}${about:+:$about}") ;;
        esac
    done < <(_SBCTUI_COMPLETE=zsh _SBCTUI_LINE="${(pj: :)words[1,CURRENT-1]} $PREFIX" \
        command "${words[1]}" 2>/dev/null)
    (( $#values )) && _describe -V sbctui values
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _sbctui_completion "$@"
else
    compdef _sbctui_completion sbctui
fi
"""

_FISH = r"""function __sbctui_completion
    _SBCTUI_COMPLETE=fish _SBCTUI_LINE=(commandline -cp | string collect) \
        command sbctui 2>/dev/null | string replace -r '^plain\t' ''
end
complete --command sbctui --no-files --keep-order --arguments '(__sbctui_completion)'
"""

_SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}


@click.command()
@click.argument("shell", type=click.Choice(list(_SCRIPTS)))
def completion(shell: str) -> int:
    """Print the script that completes verbs, options and names of nodes in SHELL.

    For good: in ~/.bashrc  eval "$(sbctui completion bash)"; in ~/.zshrc, after compinit,
    eval "$(sbctui completion zsh)"; for fish
    sbctui completion fish > ~/.config/fish/completions/sbctui.fish
    """
    output.lines(_SCRIPTS[shell].splitlines())
    return 0


def answer(shell: str) -> int:
    """Answer a shell's script with what may stand at the cursor; always 0, never an error."""
    line = os.environ.get("_SBCTUI_LINE", "")
    words = split_arg_string(line)
    typed = words.pop() if words and not line[-1:].isspace() else ""
    cut = _before_the_break(line, typed, os.environ.get("_SBCTUI_BREAKS", ""))
    if shell == "fish":
        found = [("plain", *named) for named in complete(words[1:], typed)]
    else:
        found = [(i.type, i.value, i.help or "") for i in items(words[1:], typed)]
    for kind, value, about in found:
        shown = value[cut:] if kind == "plain" else ""
        sys.stdout.write(f"{kind}\t{shown}\t{clean(about)}\n")
    output.flush()
    return 0


def _before_the_break(line: str, typed: str, breaks: str) -> int:
    """How much of the word bash takes for words before it: it parts them at ``:`` and ``=``."""
    if line.split()[-1:] and line.split()[-1][0] in "\"'":
        return 0
    return max((typed.rfind(char) + 1 for char in breaks), default=0)

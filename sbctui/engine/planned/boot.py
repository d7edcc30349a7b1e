"""Actions on what boards boot from."""

from __future__ import annotations

from typing import Literal

from sbctui.engine.model.asked import Value


class SetModels(Value):
    """Replace the default roots by board model, which must still be ``before``; undo reverses it.

    Pattern of a model → root, as in site.toml.
    """

    kind: Literal["set-models"] = "set-models"
    before: dict[str, str]
    after: dict[str, str]


class BuildBootkit(Value):
    """Build an initramfs and put it into ``bootkit/``, in the place of an older one.

    Fields as in the request; an empty ``kernel`` is a root's only one, or the usual one.
    """

    kind: Literal["build-bootkit"] = "build-bootkit"
    arch: str
    kernel: str
    root: str
    sources: str
    offline: bool


class UseKit(Value):
    """Put the site's own initramfs for a kernel into a node's ``boot/``; undo puts back what was.

    By a hard link, under the name that ``bootkit.arch.image_name`` gives. ``sha256`` is the one
    that was seen when the plan was made; empty for one that the plan itself builds.
    """

    kind: Literal["use-kit"] = "use-kit"
    name: str
    arch: str
    kernel: str
    sha256: str

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbctui.engine.boot.script import ARCHITECTURES, script_image

SCRIPTS = [b"echo hello\n", b"\x00\xff" * 700, b'setenv bootargs "a b"\n' * 40]


@pytest.mark.skipif(not shutil.which("mkimage"), reason="mkimage is in package u-boot-tools")
@pytest.mark.parametrize("arch", ARCHITECTURES)
@pytest.mark.parametrize("script", SCRIPTS)
def test_the_image_is_mkimages_byte_for_byte(tmp_path: Path, arch: str, script: bytes) -> None:
    source, target = tmp_path / "boot.cmd", tmp_path / "boot.scr"
    source.write_bytes(script)
    name, time = "pi-07" + "x" * 40, 1_800_000_000
    subprocess.run(
        ["mkimage", "-A", arch, "-T", "script", "-C", "none", "-n", name, "-d", source, target],
        check=True,
        capture_output=True,
        env={**os.environ, "SOURCE_DATE_EPOCH": str(time)},
    )
    assert script_image(script, arch=arch, name=name, time=time) == target.read_bytes()


@given(st.binary(max_size=300), st.text(max_size=40), st.integers(0, 2**40))
def test_any_script_keeps_its_bytes_behind_64_of_header(
    script: bytes, name: str, time: int
) -> None:
    image = script_image(script, arch="riscv", name=name, time=time)
    assert image[64 + 8 :] == script
    assert image[32:64].rstrip(b"\0") == name.encode()[:32].rstrip(b"\0")

"""Several processes at work on one site, and what must be true of it in the end."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sbctui.engine.engine import Engine
from sbctui.engine.errors import SbcError
from sbctui.engine.model import requests as ask
from sbctui.engine.model.addresses import dashed
from sbctui.engine.plan import Plan, UpdateConfig
from sbctui.engine.store import Store
from tests.faults.invariants import violations
from tests.faults.verbs import mac

Ack = tuple[str, str, str]
"""What was answered as done: kind, node or MAC, and a token."""
BOARDS = [mac(n) for n in range(0x20, 0x28)]
LENT = [mac(n) for n in range(0x40, 0x44)]
ROOTS = ("bare", "lent", "more")


def _create(engine: Engine, pick: random.Random, token: str) -> tuple[ask.Request, list[Ack]]:
    address = pick.choice(BOARDS)
    leaves = (ask.LeafSpec(mac=address),)
    return ask.CreateLeaves(root="full", leaves=leaves), [("create", address, token)]


def _delete(engine: Engine, pick: random.Random, token: str) -> tuple[ask.Request, list[Ack]]:
    address = pick.choice(BOARDS)
    return ask.DeleteLeaves(root="full", macs=(address,)), [("delete", address, token)]


def _allocate(engine: Engine, pick: random.Random, token: str) -> tuple[ask.Request, list[Ack]]:
    name = pick.choice(ROOTS)
    request = ask.AllocateRoot(name=name, mac=pick.choice(LENT))
    return request, [("allocate", name, token)]


def _deallocate(engine: Engine, pick: random.Random, token: str) -> tuple[ask.Request, list[Ack]]:
    name = pick.choice(ROOTS)
    return ask.DeallocateRoot(name=name, reboot=False), [("deallocate", name, token)]


def _note(engine: Engine, pick: random.Random, token: str) -> tuple[ask.Request, list[Ack]]:
    name = pick.choice(ROOTS)
    notes = engine.site().nodes[name].config.notes
    return ask.EditNode(name=name, notes=f"{notes} {token}"), [("note", name, token)]


def _adds_to_what_is_there(request: ask.EditNode, plan: Plan) -> bool:
    """Whether nobody changed the notes between reading them and planning the longer ones."""
    change = plan.units[0].actions[0]
    assert isinstance(change, UpdateConfig)
    return (request.notes or "").rpartition(" ")[0] == change.before.notes


def _restore(engine: Engine, pick: random.Random, token: str) -> tuple[ask.Request, list[Ack]]:
    entry = pick.choice(engine.site().trash)
    address = entry.config.mac if entry.config and entry.config.mac else entry.name
    return ask.RestoreTrash(folders=(entry.folder,)), [("create", address, token)]


def _purge(engine: Engine, pick: random.Random, token: str) -> tuple[ask.Request, list[Ack]]:
    entries = engine.site().trash
    return ask.PurgeTrash(folders=tuple(e.folder for e in entries[2:])), []


_OPERATIONS: tuple[Callable[..., tuple[ask.Request, list[Ack]]], ...] = (
    *(_create, _create, _delete, _delete),
    *(_allocate, _deallocate, _note, _note),
    *(_restore, _purge),
)


def work(site: Path, worker: int, turns: int, mutant: Callable[[], None] | None) -> list[Ack]:
    """One worker: random verbs; what was refused is no ack; anything untyped is an error."""
    if mutant:
        mutant()
    pick = random.Random(worker)
    engine = Engine(site)
    done: list[Ack] = []
    for turn in range(turns):
        try:
            request, acks = pick.choice(_OPERATIONS)(engine, pick, f"w{worker}t{turn}")
            plan = engine.plan(request)
            if isinstance(request, ask.EditNode) and not _adds_to_what_is_there(request, plan):
                continue
            report = engine.apply(plan)
        except (SbcError, IndexError, KeyError):
            continue
        made = {result.node for result in report.of("done")}
        done += [ack for ack in acks if report.code == 0 and dashed(ack[1]) in made]
    return done


def read(site: Path, parent: int) -> list[str]:
    """One reader, until its parent is gone: no snapshot has a broken node or anything twice."""
    going = True

    def end(*_: object) -> None:
        nonlocal going
        going = False

    signal.signal(signal.SIGTERM, end)
    store = Store(site)
    looks = 0
    while going and os.getppid() == parent:
        seen = store.load()
        looks += 1
        if seen.broken:
            return [f"look {looks}: {next(iter(seen.broken.values()))}"]
        for what in (seen.by_mac, seen.by_ip):
            twice = [(k, v) for k, v in what.items() if len(v) > 1]
            if twice and store.load(full=True).generation == seen.generation:
                return [f"look {looks}: {twice}"]
        time.sleep(0.002)
    return [] if looks > 20 else [f"only {looks} looks"]


def start(body: Callable[[], Any]) -> tuple[int, int]:
    """Run ``body`` in a forked process; its pid and the pipe its answer comes from."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.close(reading)
            with os.fdopen(writing, "wb") as out:
                out.write(json.dumps(body()).encode())
            status = 0
        except BaseException:  # noqa: BLE001 a forked child must never return into pytest
            traceback.print_exc(file=sys.__stderr__)
        finally:
            os._exit(status)
    os.close(writing)
    return pid, reading


def answer(started: tuple[int, int]) -> Any:
    """Wait for a process's answer."""
    pid, reading = started
    with os.fdopen(reading, "rb") as source:
        data = source.read()
    os.waitpid(pid, 0)
    return json.loads(data) if data else "it ended without an answer"


def stop(started: tuple[int, int]) -> Any:
    """Tell a reader to end; its answer."""
    os.kill(started[0], signal.SIGTERM)
    return answer(started)


def wrong(site: Path, acks: list[Ack]) -> list[str]:
    """What was answered and is not so, and every invariant that is broken."""
    found = violations(site)
    now = Store(site).load()
    balance = Counter[str]()
    for kind, what, token in acks:
        if kind == "note":
            said = now.nodes[what].config.notes.split()
            if said.count(token) != 1:
                found.append(f"the note {token} of {what} is there {said.count(token)} times")
        else:
            balance[what] += 1 if kind in ("create", "allocate") else -1
    for address in BOARDS:
        if balance[address] != (dashed(address) in now.nodes):
            found.append(f"{address}: {balance[address]} made more than deleted")
    for name in ROOTS:
        if balance[name] != (now.nodes[name].config.mac is not None):
            found.append(f"{name}: {balance[name]} times more allocated than deallocated")
    return found

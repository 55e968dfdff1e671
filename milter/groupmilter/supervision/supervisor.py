"""The parent process: waits for signals, children and commands; asks `rollout` what follows; carries it out.

TERM and INT drain every child and end (a second one kills), HUP reads the configuration again and replaces the
children if it is good. Nothing that a child, a client or a configuration says ends the supervisor. Must run in
the main thread (signal(2) in Python), before any other thread exists, since it forks.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from structlog.typing import FilteringBoundLogger

from groupmilter.supervision.channel import receive, send
from groupmilter.supervision.control import Answer, Client, accept, refusal
from groupmilter.supervision.notify import Notifier
from groupmilter.supervision.role import Accepted, Limits, Refused, Role
from groupmilter.supervision.rollout import Child, Drain, Kill, Order, Stage, Start, Wanted, orders, settled
from groupmilter.supervision.spawn import SIGNALS, spawn

_MOST_CLIENTS = 16
_CLIENT_SECONDS = 30.0
_TICK_BUSY = 0.1
_TICK_QUIET = 1.0


class Supervisor:
    """Keeps the roles running; one instance for one `run`.

    :param roles: what runs, until ``reload`` gives other roles.
    :param reload: reads and checks the configuration; changes nothing outside unless it accepts.
    :param control: a listening Unix socket for commands, or None.
    :param on_stop: called once when the stop begins: closes the listening sockets.
    """

    def __init__(
        self,
        roles: Sequence[Role],
        reload: Callable[[], Accepted | Refused],
        log: FilteringBoundLogger,
        *,
        control: socket.socket | None = None,
        notifier: Notifier | None = None,
        limits: Limits | None = None,
        on_stop: Callable[[], None] | None = None,
    ) -> None:
        self._wanted = [Wanted(role, 1) for role in roles]
        self._generation = 1
        self._reload_roles = reload
        self._log = log
        self._control = control
        self._notifier = notifier or Notifier()
        self._limits = limits or Limits()
        self._on_stop = on_stop
        self._selector = selectors.DefaultSelector()
        self._children: dict[int, Child] = {}
        self._channels: dict[int, socket.socket] = {}
        self._clients: list[Client] = []
        self._failures: dict[str, int] = {}
        self._not_before: dict[str, float] = {}
        self._stopping = False
        self._ready = False
        self._told = 0.0
        self._wake: tuple[socket.socket, ...] = ()

    def run(self) -> int:
        """Supervise until told to stop; returns 0."""
        with self._signals():
            if self._control is not None:
                self._control.settimeout(0)
                self._watch(self._control, self._accept)
            while not self._stopping or self._children:
                self._turn()
        self._close()
        self._log.info("stopped")
        return 0

    def _turn(self) -> None:
        """Gather what happened, decide, carry it out."""
        for key, _ in self._selector.select(_TICK_QUIET if self._quiet() else _TICK_BUSY):
            key.data()
        self._reap()
        now = time.monotonic()
        for order in orders(list(self._children.values()), self._wanted, self._not_before, now, self._limits):
            self._carry_out(order)
        for client in [client for client in self._clients if client.until < now]:
            self._dismiss(client)
        self._report(now)

    def _quiet(self) -> bool:
        calm = settled(list(self._children.values()), self._wanted)
        return calm and all(child.at_work for child in self._children.values())

    # signals

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """Deliver signals as octets on a socket (signal.set_wakeup_fd), and put everything back afterwards."""
        reader, writer = self._wake = socket.socketpair()
        for end in self._wake:
            end.settimeout(0)
        self._watch(reader, self._signalled)
        before = {number: signal.signal(number, lambda *_: None) for number in SIGNALS}
        descriptor = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(descriptor)
            for number, handler in before.items():
                signal.signal(number, handler)

    def _signalled(self) -> None:
        received = set(self._wake[0].recv(4096))
        if received & {signal.SIGTERM, signal.SIGINT}:
            self._stop()
        elif signal.SIGHUP in received and not self._stopping:
            self._reload()

    # commands

    def _accept(self) -> None:
        connection = accept(self._control) if self._control is not None else None
        if connection is None:
            return
        if len(self._clients) >= _MOST_CLIENTS:
            connection.close()
            return
        client = Client(connection, self._command, time.monotonic() + _CLIENT_SECONDS)
        self._clients.append(client)
        self._watch(connection, lambda: None if client.receive() else self._dismiss(client))

    def _dismiss(self, client: Client) -> None:
        if client in self._clients:
            self._clients.remove(client)
            self._forget(client.connection)

    def _command(self, request: Mapping[str, object]) -> Answer:
        match request.get("command"):
            case "status":
                return self._status()
            case "reload" if not self._stopping:
                return self._reload()
            case "replace" if not self._stopping:
                return self._replace(request.get("role"))
            case "stop":
                self._stop()
                return {"ok": True}
            case "reload" | "replace":
                return refusal("groupmilter is stopping")
        return refusal("wants a command: status, reload, replace or stop")

    def _status(self) -> Answer:
        now = time.monotonic()
        children = [
            {
                "role": child.role.name,
                "pid": child.pid,
                "stage": child.stage.value,
                "generation": child.generation,
                "seconds": round(now - child.started, 1),
                "detail": dict(child.detail),
            }
            for child in self._children.values()
        ]
        return {
            "ok": True,
            "pid": os.getpid(),
            "generation": self._generation,
            "settled": settled(list(self._children.values()), self._wanted),
            "stopping": self._stopping,
            "children": children,
        }

    def _reload(self) -> Answer:
        outcome = _guarded(self._reload_roles, self._log)
        if isinstance(outcome, Refused):
            self._log.error("reload refused; the old configuration stays", errors=list(outcome.errors))
            return refusal(*outcome.errors)
        self._generation += 1
        self._wanted = [Wanted(role, self._generation) for role in outcome.roles]
        self._failures.clear()
        self._not_before.clear()
        self._ready = False
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
        self._log.info("reload accepted", generation=self._generation)
        return {"ok": True, "generation": self._generation}

    def _replace(self, name: object) -> Answer:
        names = {each.role.name for each in self._wanted}
        if name is not None and name not in names:
            return refusal(f"there is no role {name}; there are {', '.join(sorted(names))}")
        self._generation += 1
        self._wanted = [
            Wanted(each.role, self._generation) if name in {None, each.role.name} else each
            for each in self._wanted
        ]
        return {"ok": True, "generation": self._generation}

    def _stop(self) -> None:
        """Drain everything; asked a second time, kill what is left."""
        again, self._stopping = self._stopping, True
        if again:
            for pid in list(self._children):
                self._carry_out(Kill(pid, "told to stop a second time"))
            return
        self._log.info("stopping", children=len(self._children))
        self._tell("STOPPING=1")
        self._wanted = []
        if self._on_stop is not None:
            self._on_stop()
        for pid in list(self._children):
            self._drain(pid, self._limits.stop)

    # children

    def _carry_out(self, order: Order) -> None:
        if isinstance(order, Start):
            self._start(order.wanted)
            return
        child = self._children[order.pid]
        self._log.info(
            "draining" if isinstance(order, Drain) else "killing",
            role=child.role.name,
            pid=child.pid,
            why=order.why,
        )
        if isinstance(order, Drain):
            self._drain(child.pid, child.role.drain_within)
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(child.pid, signal.SIGKILL)
        if child.stage is Stage.STARTING:
            self._failed(child.role.name)
        self._children[child.pid] = replace(child, stage=Stage.KILLED)

    def _start(self, wanted: Wanted) -> None:
        role = wanted.role
        others = frozenset[int]().union(*(each.role.descriptors for each in self._wanted))
        try:
            pid, channel = spawn(role, self._close, others, self._log)
        except OSError as error:
            self._failed(role.name)
            self._log.error("no process can be started", role=role.name, error=str(error))
            return
        now = time.monotonic()
        self._children[pid] = Child(pid, role, wanted.generation, started=now, heard=now)
        self._channels[pid] = channel
        self._watch(channel, lambda: self._hear(pid))
        self._log.info("started", role=role.name, pid=pid, generation=wanted.generation)

    def _drain(self, pid: int, grace: float) -> None:
        child, now = self._children[pid], time.monotonic()
        if child.stage is Stage.KILLED:
            return
        if child.stage is Stage.DRAINING:
            grace = min(grace, child.asked + child.grace - now)
        self._children[pid] = replace(child, stage=Stage.DRAINING, asked=now, grace=grace)
        if pid in self._channels:
            send(self._channels[pid], {"drain": max(0.0, grace)})

    def _hear(self, pid: int) -> None:
        """Read everything that a child has said, so that a late supervisor takes no child for dead."""
        with contextlib.suppress(BlockingIOError):
            while (message := receive(self._channels[pid])) is not None:
                self._children[pid] = _after(self._children[pid], message, time.monotonic())
            self._forget(self._channels.pop(pid))

    def _reap(self) -> None:
        for pid in list(self._children):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                self._ended(self._children.pop(pid), os.waitstatus_to_exitcode(status))

    def _ended(self, child: Child, code: int) -> None:
        channel = self._channels.pop(child.pid, None)
        if channel is not None:
            self._forget(channel)
        if not child.at_work:
            self._log.info("ended", role=child.role.name, pid=child.pid, code=code)
            return
        if time.monotonic() - child.started >= self._limits.stable:
            self._failures.pop(child.role.name, None)
        pause = self._failed(child.role.name)
        self._log.error(
            "ended unexpectedly", role=child.role.name, pid=child.pid, code=code, restart_in=round(pause, 1)
        )

    def _failed(self, name: str) -> float:
        """Count a short life; returns the seconds before the next start."""
        failures = self._failures.get(name, 0)
        self._failures[name] = failures + 1
        pause = self._limits.pause(failures)
        self._not_before[name] = time.monotonic() + pause
        return pause

    # systemd

    def _report(self, now: float) -> None:
        if not self._ready and not self._stopping:
            self._ready = settled(list(self._children.values()), self._wanted)
            if self._ready:
                self._log.info("ready", generation=self._generation)
                self._tell("READY=1", f"STATUS={self._summary()}")
        if self._notifier.watchdog and now - self._told >= self._notifier.watchdog / 3:
            self._told = now
            self._tell("WATCHDOG=1", f"STATUS={self._summary()}")

    def _summary(self) -> str:
        serving = [child.role.name for child in self._children.values() if child.stage is Stage.SERVING]
        roles = (each.role for each in self._wanted)
        return ", ".join(f"{role.name} {serving.count(role.name)}/{role.count}" for role in roles)

    def _tell(self, *lines: str) -> None:
        try:
            self._notifier.tell(*lines)
        except OSError as error:
            self._log.warning("systemd does not hear us", error=str(error))

    # descriptors

    def _watch(self, end: socket.socket, then: Callable[[], None]) -> None:
        self._selector.register(end, selectors.EVENT_READ, then)

    def _forget(self, end: socket.socket) -> None:
        self._selector.unregister(end)
        end.close()

    def _close(self) -> None:
        """Close every descriptor of the supervisor: at its end, and in each child."""
        for key in list(self._selector.get_map().values()):
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.close()
        for end in self._wake:
            end.close()
        self._selector.close()


def _guarded(reload: Callable[[], Accepted | Refused], log: FilteringBoundLogger) -> Accepted | Refused:
    """Return the outcome of a reload; a bug in it may not end the supervisor, and changes nothing."""
    try:
        return reload()
    except Exception as error:
        log.exception("reload crashed")
        return Refused((f"internal error: {error!r}",))


def _after(child: Child, message: Mapping[str, object], now: float) -> Child:
    """Return what a message makes of a child."""
    state, detail = message.get("state"), message.get("detail")
    if state == "draining":
        return replace(child, acknowledged=True, heard=now)
    if state == "ready" and child.stage is Stage.STARTING:
        return replace(child, stage=Stage.SERVING, heard=now)
    return replace(child, heard=now, detail=detail if isinstance(detail, dict) else child.detail)

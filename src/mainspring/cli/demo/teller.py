"""How the story is shown: with a live bar in a terminal, as plain lines elsewhere."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import TaskID


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Something that the story says, whether it came true, and what shows it."""

    text: str
    held: bool
    evidence: str


class Teller:
    """Prints chapters, facts and claims; safe to call from several threads."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        self._began = time.monotonic()
        self.console = Console(highlight=False, soft_wrap=True)
        self.claims: list[Claim] = []
        self._progress: Progress = Progress(
            TextColumn("        {task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[state]}"),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
            refresh_per_second=8,
        )
        self._task: TaskID | None = None
        self._chapter = 0

    @property
    def is_terminal(self) -> bool:
        return self.console.is_terminal

    def elapsed(self) -> float:
        return time.monotonic() - self._began

    def chapter(self, title: str) -> None:
        self._chapter += 1
        self.console.print()
        self._line(f"{self._chapter}. {title}", style="bold")

    def fact(self, text: str) -> None:
        self._line(f"   {text}")

    def facts(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.fact(line)

    def claim(self, text: str, held: bool, evidence: str) -> None:
        """Say whether something that was promised came true."""
        self.claims.append(Claim(text=text, held=held, evidence=evidence))
        mark, style = ("✓", "green") if held else ("✗", "bold red")
        self._line(f"   {mark} {text}", style=style)
        self._line(f"     {evidence}", style="dim")

    def start_bar(self, total: int) -> None:
        self._progress.start()
        self._task = self._progress.add_task("the second year", total=total, state="")

    def bar(self, completed: int, state: str) -> None:
        if self._task is not None:
            self._progress.update(self._task, completed=completed, state=state)

    def stop_bar(self) -> None:
        self._progress.stop()
        self._task = None

    def _line(self, text: str, style: str = "") -> None:
        self.console.print(f"{self.elapsed():5.1f}s {text}", style=style, markup=False)

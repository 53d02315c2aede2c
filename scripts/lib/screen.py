"""What the demo prints: headings, tables and progress, lively in a terminal and plain in a pipe."""

import os
import shutil
import sys
import time

BOLD, DIM, GREEN, RED, CYAN = "1", "2", "32", "31", "36"


class Screen:
    """Writes to standard output; colours and moving bars only in a terminal."""

    def __init__(self):
        self.lively = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
        self.colours = self.lively and "NO_COLOR" not in os.environ

    def paint(self, text, *styles):
        return f"\033[{';'.join(styles)}m{text}\033[0m" if self.colours else text

    def heading(self, text):
        self.line()
        self.line(self.paint(text, BOLD) if self.colours else f"== {text}")

    def line(self, text=""):
        print(text, flush=True)

    def good(self, text):
        self.line(f"  {self.paint('✓' if self.colours else 'ok:', GREEN)} {text}")

    def bad(self, text):
        self.line(f"  {self.paint('✗' if self.colours else 'FAILED:', RED)} {text}")

    def command(self, text):
        self.line(f"  {self.paint(text, CYAN)}")

    def rows(self, rows, styles=()):
        """Prints rows of texts in columns; the last one is cut at the terminal's edge."""
        if not rows:
            return
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        room = shutil.get_terminal_size((110, 24)).columns if self.lively else 10_000
        for row in rows:
            used, cells = 2, []
            for column, (cell, width) in enumerate(zip(row, widths)):
                last = column == len(row) - 1
                text = cell[: max(room - used, 8)] if last else cell.ljust(width)
                used += width + 2
                style = styles[column] if column < len(styles) else None
                cells.append(self.paint(text, style) if style else text)
            self.line("  " + "  ".join(cells).rstrip())

    def progress(self, label, total):
        return Progress(self, label, total)


class Progress:
    """A bar with a rate in a terminal; in a pipe a line every few seconds, and one at the end."""

    PERIOD = {True: 0.1, False: 3.0}

    def __init__(self, screen, label, total):
        self.screen, self.label, self.total = screen, label, total
        self.began = self.shown = time.monotonic()

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        if self.screen.lively:
            print("\r\033[K", end="", flush=True)

    def update(self, done, note=""):
        now = time.monotonic()
        if now - self.shown < self.PERIOD[self.screen.lively]:
            return
        self.shown = now
        rate = done / max(now - self.began, 1e-9)
        if not self.screen.lively:
            self.screen.line(f"  {self.label}: {done:,} of {self.total:,} {note}".rstrip())
            return
        share = min(done / self.total, 1.0) if self.total else 1.0
        bar = ("█" * round(share * 30)).ljust(30, "░")
        text = f"  {self.label} {bar} {done:,} of {self.total:,}  {rate:,.0f}/s {note}"
        print("\r\033[K" + text[: shutil.get_terminal_size().columns - 1], end="", flush=True)

    @property
    def seconds(self):
        return time.monotonic() - self.began

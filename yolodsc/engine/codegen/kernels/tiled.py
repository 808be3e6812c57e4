"""The convolution tile on AMX: matrices of 16 rows in tile registers.

One instruction multiplies 16 pixels x up to 64 bytes of channels by these channels x 16 filters; it takes as long for 16 bytes as
for 64. A row of a tile is a channel group of one pixel: a block, or the taps of a row of a k x k kernel, which lie side by side.
Sums begin with the bias, whose row is loaded 16 times. They are stored to the stack, from where the epilogue of the other kernels
takes them. Weights lie as for `DotKernel`.

The epilogue of a tile is written between the products and the stores of the next one: the tile unit multiplies while the vector
units finish, and neither waits for the other.

Configuring the tile registers takes 250 cycles, so a kernel does it only if the kernel before it on this thread used another
configuration: the thread's table of bases holds the number of the present one. The worker releases the registers.
"""

from collections.abc import Mapping
from typing import ClassVar

from yolodsc.engine.codegen.amx_tiles import ROWS
from yolodsc.engine.codegen.dtypes import Load, load_integers, real
from yolodsc.engine.codegen.epilogue import ACTIVATIONS
from yolodsc.engine.codegen.ir_builder import CONFIGURATION, IRBuilder
from yolodsc.engine.codegen.kernels.conv import NAMES
from yolodsc.engine.codegen.kernels.dot import DotKernel
from yolodsc.engine.codegen.packed_bytes import StoreRun

INPUTS, WEIGHTS = 4, 6
"""First tile register of the inputs and of the weights; those before hold sums."""

RUN = 4
"""Pixels that the epilogue finishes together."""


class TiledKernel(DotKernel):
    """A convolution of bytes or bf16 with ``vectors`` x 16 channels; a channel group has at most 64 bytes.

    The tile has ``tall`` rows of ``pixels``, which take one or two tile registers each; ``rows`` of a call counts such tiles, the
    last of which begins at row ``row_last``.
    """

    method: str = "amx"
    tall: int = 1

    fixed: ClassVar[tuple[str, ...]] = (*DotKernel.fixed, "tall")

    multiply: ClassVar[Mapping[str, str]] = {"u8": "llvm.x86.tdpbusd", "bf16": "llvm.x86.tdpbf16ps"}

    @property
    def arguments(self) -> tuple[str, ...]:
        """Names of the arguments."""
        return (*DotKernel.arguments.fget(self), "row_last")  # type: ignore[attr-defined]

    @property
    def heights(self) -> int:
        """Tile registers for the pixels of a row."""
        return -(-self.pixels // ROWS)

    @property
    def rows(self) -> int:
        """Pixels of a tile register; all have the same number."""
        return self.pixels // self.heights

    @property
    def inputs(self) -> list[tuple[int, int]]:
        """Row and first pixel of each tile register of inputs."""
        return [(row, h * self.rows) for row in range(self.tall) for h in range(self.heights)]

    def emit(self, name: str) -> str:
        """Return the LLVM IR of the kernel: one loop over all tiles and one more turn for the last epilogue."""
        c = IRBuilder(name, self.lanes)
        index = {argument: number for number, argument in enumerate(self.arguments)}
        stack = self.vectors * self.tall * self.pixels * 64
        c.do(f"%sums = alloca [{2 * stack} x i8], align 64")
        self._configure(c)
        g = {n: c.argument(index[n]) for n in (*NAMES[6:], "row_last") if self.residual or not n.endswith("residual")}
        base = {n: c.pointer(index[n]) for n in (*NAMES[:6], "scales") if n in index and (self.residual or n != "residual")}
        load, store = self.ends(c, index)
        per_group = c.mul(g["rows"], g["tiles"])
        count = c.mul(g["groups"], per_group)
        before = [(n, "ptr") for n in ("y", "residual", "scales") if n in base]
        with c.loop(c.add(count, 1), [("i64", "0"), *((kind, base[n]) for n, kind in before)]) as turn:
            half, *finished = turn.carried
            at = self._pointers(c, turn.index, base, g, per_group)
            other = c.sub(stack, half)
            more, some = c.let(f"icmp slt i64 {turn.index}, {count}"), c.let(f"icmp sgt i64 {turn.index}, 0")
            with c.branch(more):
                self._multiplied(c, at, g)
            with c.branch(some):
                done = dict(zip((n for n, _ in before), finished, strict=True))
                self._finished(c, done | {"sums": c.at("%sums", other)}, g, load, store)
            with c.branch(more):
                for number in range(self.vectors * len(self.inputs)):
                    pointer = c.at(c.at("%sums", half), number * self.rows * 64)
                    c.call("void", "llvm.x86.tilestored64", f"i8 {number}", f"ptr {pointer}", "i64 64")
            turn.next(other, *(at[n] for n, _ in before))
        return c.text()

    def _configure(self, c: IRBuilder) -> None:
        """Configure the tile registers if they have another configuration."""
        c.do("%configuration = alloca [64 x i8], align 64")
        number = self.rows * 256 + self.group_bytes
        slot = c.at("%bases", 8 * CONFIGURATION)
        with c.branch(c.let(f"icmp ne i64 {c.integer(slot)}, {number}")):
            shapes = [(self.rows, 64)] * INPUTS + [(self.rows, self.group_bytes)] * 2 + [(self.group_bytes // 4, 64)] * 2
            widths = b"".join(columns.to_bytes(2, "little") for _, columns in shapes)
            image = bytes([1]).ljust(16, b"\0") + widths.ljust(32, b"\0") + bytes(rows for rows, _ in shapes).ljust(16, b"\0")
            for position in range(0, 64, 8):
                word = int.from_bytes(image[position : position + 8], "little", signed=True)
                c.do(f"store i64 {word}, ptr {c.at('%configuration', position)}, align 8")
            c.call("void", "llvm.x86.ldtilecfg", "ptr %configuration")
            c.do(f"store i64 {number}, ptr {slot}, align 8")

    def _pointers(self, c: IRBuilder, number: str, base: Mapping[str, str], g: Mapping[str, str], per_group: str) -> dict[str, str]:
        """Addresses of tile ``number``: tiles of a row, rows of a group, groups."""
        group = c.let(f"udiv i64 {number}, {per_group}")
        within = c.sub(number, c.mul(group, per_group))
        tall = c.let(f"udiv i64 {within}, {g['tiles']}")
        first = c.minimum(c.mul(c.sub(within, c.mul(tall, g["tiles"])), self.pixels), g["tile_last"])
        row = c.minimum(c.mul(tall, self.tall), g["row_last"])

        def of(name: str, per_group: str | int, per_row: str | int = 0, pixel: int = 0) -> str:
            pointer = c.at(base[name], c.mul(group, per_group)) if per_group else base[name]
            return c.at(c.at(pointer, c.mul(row, per_row)), c.mul(first, pixel)) if per_row else pointer

        channels = self.vectors * self.lanes * 4
        at = {
            "x": of("x", 0, g["row_x"], self.stride), "y": of("y", g["group_y"], g["row_y"], self.y_pixel),
            "weights": of("weights", g["group_weights"]), "biases": of("biases", channels), "table": base["table"],
        }  # fmt: skip
        if self.residual:
            at["residual"] = of("residual", g["group_residual"], g["row_residual"], self.r_pixel)
        return at | ({"scales": of("scales", channels)} if "scales" in base else {})

    def _multiplied(self, c: IRBuilder, at: Mapping[str, str], g: Mapping[str, str]) -> None:
        """Sums of all segments in tile registers: those of the first vector first."""
        for v in range(self.vectors):
            for number in range(len(self.inputs)):
                self._load(c, v * len(self.inputs) + number, c.at(at["biases"], v * 64), "0")
        rows = {row: c.mul(g["row_x"], row) for row in range(self.tall)}
        with c.loop(g["segments"], [("ptr", at["weights"]), ("ptr", at["table"])]) as segment:
            w, entry = segment.carried
            offset, channel_groups = c.integer(entry), c.integer(entry, 8)
            with c.loop(channel_groups, [("ptr", c.at(at["x"], offset)), ("ptr", w)]) as channel_group:
                x1, w1 = channel_group.carried
                self._contracted(c, {row: c.at(x1, step) for row, step in rows.items()}, w1)
                channel_group.next(c.at(x1, self.group_bytes), c.at(w1, self.group_weights))
            segment.next(channel_group.carried[1], c.at(entry, 16))

    def _contracted(self, c: IRBuilder, x: Mapping[int, str], weights: str) -> None:
        """Add the products of one channel group; more than two inputs have one vector and share its registers."""
        count = len(self.inputs)
        loaded = [(INPUTS + n % 2, c.at(x[row], first * self.stride)) for n, (row, first) in enumerate(self.inputs)]
        for register, pointer in loaded[:2]:
            self._load(c, register, pointer, str(self.stride))
        for v in range(self.vectors):
            columns = WEIGHTS + v % 2
            self._load(c, columns, c.at(weights, v * 64), str(self.vectors * 64))
            for n, (register, pointer) in enumerate(loaded):
                if n >= 2:
                    self._load(c, register, pointer, str(self.stride))
                c.call("void", self.multiply[self.x], f"i8 {v * count + n}", f"i8 {register}", f"i8 {columns}")

    def _load(self, c: IRBuilder, register: int, pointer: str, stride: str) -> None:
        c.call("void", "llvm.x86.tileloadd64", f"i8 {register}", f"ptr {pointer}", f"i64 {stride}")

    def _finished(self, c: IRBuilder, at: Mapping[str, str], g: Mapping[str, str], load: Load, store: StoreRun) -> None:
        """Multiply by the scale, apply the activation, add the residual, store."""
        y, residual, sums = at["y"], at.get("residual", ""), at["sums"]
        for v in range(self.vectors):
            unit = c.load(at["scales"], v * 64) if self.x == "u8" else ""
            for row in range(self.tall):
                here = {"sums": c.at(sums, (v * self.tall + row) * self.pixels * 64), "y": c.at(y, c.mul(g["row_y"], row))}
                if residual:
                    here["residual"] = c.at(residual, c.mul(g["row_residual"], row))
                self._finished_row(c, here, unit, load, store)
            if v + 1 < self.vectors:
                y = c.at(y, g["block_y"])
                residual = residual and c.at(residual, g["block_residual"])

    def _finished_row(self, c: IRBuilder, at: Mapping[str, str], unit: str, load: Load, store: StoreRun) -> None:
        """A run of pixels after the other; the last one overlaps the one before."""
        run = min(RUN, self.pixels)
        with c.loop(-(-self.pixels // run)) as part:
            first = c.minimum(c.mul(part.index, run), self.pixels - run)
            sums, y = c.at(at["sums"], c.mul(first, 64)), c.at(at["y"], c.mul(first, self.y_pixel))
            values = [ACTIVATIONS[self.activation](c, self._real(c, sums, p * 64, unit)) for p in range(run)]
            if self.residual:
                r = c.at(at["residual"], c.mul(first, self.r_pixel))
                values = [c.arith("fadd", value, load(r, p * self.r_pixel)) for p, value in enumerate(values)]
            store(values, y)

    def _real(self, c: IRBuilder, sums: str, offset: int, unit: str) -> str:
        return c.load(sums, offset) if self.x == "bf16" else c.arith("fmul", real(c, load_integers(c, sums, offset)), unit)

"""What plain Dagster runs beside us: three light ops in a chain, and forty that compute fib(10)."""

import dagster as dg


@dg.op
def light(value: int) -> int:
    return value + 1


@dg.op
def fib_node(value: int) -> int:
    def fib(n: int) -> int:
        return n if n < 2 else fib(n - 1) + fib(n - 2)

    return fib(10)


@dg.op
def first() -> int:
    return 0


@dg.job
def light3() -> None:
    light.alias("c")(light.alias("b")(first()))


@dg.job
def fib40() -> None:
    value = first()
    for number in range(40):
        value = fib_node.alias(f"fib{number}")(value)


defs = dg.Definitions(jobs=[light3, fib40])

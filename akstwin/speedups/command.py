"""The command `compile`."""

import click


@click.command("compile")
def compile_modules() -> None:
    """Compile what each request goes through: `akstwin serve` is then about twice as fast.

    `akstwin run` and `akstwin plan` have the compiled engine then, which a wheel may bring along already.

    Needs the extra akstwin[compile] and a C compiler; takes about half a minute. What is compiled decides the same: it is made
    from the same sources, and is taken only while they are unchanged.
    """
    from akstwin.speedups.making import make, make_kernel  # noqa: PLC0415 - only when it is called

    click.echo(f"compiled to {make()}")
    click.echo(f"compiled to {make_kernel()}")

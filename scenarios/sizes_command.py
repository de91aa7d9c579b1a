"""The command `sizes`: the virtual machine sizes that a cluster may be made of."""

from pathlib import Path

import click


@click.command()
@click.option(
    "--json", "json_file", type=click.Path(path_type=Path), metavar="FILE",
    help="Write the table here; - is standard output.",
)  # fmt: skip
def sizes(json_file: Path | None) -> None:
    """List the virtual machine sizes that are known, with source and date."""
    from akstwin.domain.vm_sizes import AS_OF, PRICE_SOURCE, SOURCE, VM_SIZES  # noqa: PLC0415
    from akstwin.scenarios import outputs  # noqa: PLC0415

    outputs.check_target("--json", json_file)
    if json_file is not None:
        rows = [{"name": name, **size.model_dump(mode="json")} for name, size in VM_SIZES.items()]
        outputs.write_json({"source": SOURCE, "as_of": AS_OF, "price_source": PRICE_SOURCE, "sizes": rows}, json_file)
    if str(json_file) == outputs.STANDARD_OUTPUT:
        return
    click.echo(f"{'name':<28}{'cores':>6}{'memory GB':>11}{'GPUs':>6}{'price an hour':>15}")
    for name, size in VM_SIZES.items():
        price = "" if size.hourly_price is None else f"{size.hourly_price:g}"
        gpus = size.gpu_cores or ""
        click.echo(f"{name:<28}{size.cpu_cores:>6g}{size.memory_gb:>11g}{gpus:>6}{price:>15}".rstrip())
    click.echo(f"\nSource: {SOURCE}, as of {AS_OF}. Prices are {PRICE_SOURCE}; a size without one costs what you say:")
    click.echo("describe it by hand, vm_size: {cpu_cores: 4, memory_gb: 16, gpu_cores: 0, hourly_price: 0.23}.")

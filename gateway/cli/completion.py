"""`gateway completion`: what makes a shell complete our commands and options."""

import click
from click.shell_completion import get_completion_class

_VARIABLE = "_GATEWAY_COMPLETE"
"""Click's own: by it the shell asks the program what may come next."""


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script that completes commands and options in SHELL.

    \b
    bash: put  eval "$(gateway completion bash)"  into ~/.bashrc
    zsh:  put  eval "$(gateway completion zsh)"  into ~/.zshrc
    fish: gateway completion fish > ~/.config/fish/completions/gateway.fish
    """
    made = get_completion_class(shell)
    assert made is not None  # click knows all three
    click.echo(made(ctx.find_root().command, {}, "gateway", _VARIABLE).source())

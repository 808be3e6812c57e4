"""Tables that subcommands print."""

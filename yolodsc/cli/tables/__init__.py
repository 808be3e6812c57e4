"""Tables that subcommands print, one file for each subcommand."""

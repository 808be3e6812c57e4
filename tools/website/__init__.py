"""The documentation site: pages that are generated while it is built, and the checks of what was built."""

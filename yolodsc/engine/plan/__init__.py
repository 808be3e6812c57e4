"""From layers to operations: graph, fusion, layouts and the arena."""

"""Operations: what a plan consists of. Each turns its part of the network into items of steps, one family a file."""

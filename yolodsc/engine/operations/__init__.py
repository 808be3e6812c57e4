"""Operations of a plan, one family per file: each declares its buffers and halos and is lowered to tasks of calls."""

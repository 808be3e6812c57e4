"""Speed beside other programs: the same network, in processes of their own, one at a time, in turn.

Who takes part is in `peers`, how times are taken in `timing` and `streams`, what the machine could do at most in `machine`.
"""

"""Parquet files of chunks, and runs that resume from them."""

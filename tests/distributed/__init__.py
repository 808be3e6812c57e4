"""Workers of Dask: chunks, retries, Parquet files, and what happens when processes die."""

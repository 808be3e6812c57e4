"""Running a compiled program: thread pool, runners, BLAS limits."""

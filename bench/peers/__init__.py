"""What others reach with the same data: Datasette, and a service written by hand on Litestar."""

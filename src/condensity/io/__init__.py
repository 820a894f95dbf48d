"""Tables in files of the user: CSV, Parquet and Arrow, as a whole (`read`) or in batches (`stream`)."""

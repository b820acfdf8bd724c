"""The laboratory writes semicolons."""


def load_file_as_dataframe(file_path, file_format):
    import pandas

    if file_format != "csv":
        raise NotImplementedError(file_format)
    return pandas.read_csv(file_path, sep=";")

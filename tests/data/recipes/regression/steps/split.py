"""Which training rows are believed."""


def create_dataset_filter(dataset):
    return (dataset["distance"] > 0) & (dataset["fare"] > 0)

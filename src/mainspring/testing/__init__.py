"""The public test kit: an installation in a temporary folder, factories, real servers, conformance suites."""

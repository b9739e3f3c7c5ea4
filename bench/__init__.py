"""The benchmark: requests a second of the service, beside a bare application that returns the same bytes."""

"""`python -m frontdoor_spark`: the application without `spark-submit`."""

from . import main

main()

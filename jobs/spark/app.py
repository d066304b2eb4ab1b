"""The application for `spark-submit`. The package frontdoor_spark must be installed on the driver and the executors."""

from frontdoor_spark import main

main()

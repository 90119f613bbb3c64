"""Reads a page of metrics with the parser of `prometheus_client`, which refuses what is not OpenMetrics. Prints what it found.

    openmetrics.py FILE
"""

import json
import sys

from prometheus_client.openmetrics.parser import text_string_to_metric_families

with open(sys.argv[1], encoding="utf-8") as page:
    families = {family.name: family.type for family in text_string_to_metric_families(page.read())}
print(json.dumps(families))

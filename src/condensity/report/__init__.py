"""One self-contained HTML page about fitted models: numbers, slices, and the charts of each.

>>> from condensity import write_report
>>> from condensity.report import write_report as the_same
>>> write_report is the_same
True
"""

from condensity.report.write import write_report

__all__ = ["write_report"]

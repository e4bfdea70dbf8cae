"""The upgrade of the platform's schema from version 1 to version 2, with the application at work."""

from db.v1.report import Report, TableReport
from db.v1.steps import upgrade

__all__ = ["Report", "TableReport", "upgrade"]

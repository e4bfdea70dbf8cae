"""What the fleet's processes must know. The only room that reads the environment.

``sources`` reads it, and what stands behind it. Modules of groups say what there is to set, and ``whole``
puts them together. ``page`` makes the reference of them, and ``shown`` tells what is set.
"""

from workers.settings.group import Group
from workers.settings.sources import SettingsError, variable_name
from workers.settings.whole import DatabaseSettings, Settings, given_settings

__all__ = [
    "DatabaseSettings",
    "Group",
    "Settings",
    "SettingsError",
    "given_settings",
    "variable_name",
]

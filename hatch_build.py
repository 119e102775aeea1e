"""Ships galaxy.yml with the wheel, and lets an editable install find the collection in this checkout."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

COLLECTION = "ansible_collections/roundsman/fleet"


class CollectionBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        root = Path(self.root)
        if version == "editable":
            # A force-included file would be copied to site-packages and shadow the checkout there.
            link = root / ".dev" / COLLECTION
            link.parent.mkdir(parents=True, exist_ok=True)
            if not link.is_symlink():
                link.symlink_to(root, target_is_directory=True)
        elif self.target_name == "wheel":
            build_data["force_include"][str(root / "galaxy.yml")] = f"{COLLECTION}/galaxy.yml"

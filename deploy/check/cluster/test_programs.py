"""Builds the programs and images of the cluster. It has the network of the machine; the other tests do not."""

import custom_resources
import images
import programs
from tools import go_module


def test_programs_are_built():
    programs.build()


def test_images_are_packed():
    assert len(images.pack()) == 6


def test_definitions_of_custom_resources_are_downloaded():
    for module, version, _ in set(custom_resources.DEFINITIONS.values()):
        assert go_module(module, version).is_dir()

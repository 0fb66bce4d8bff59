"""FHIR R4: from a Bundle to the record that ``/v1/assess`` reads, and from an answer to resources.

Plain walkers over JSON: whatever stands in the place of an element, it is read, refused by name, or
left out with a warning.
"""

"""What a person who decides reads of a model: ``report.json``, and one HTML page that prints it.

In order: the records, what fills them (``build``), figures drawn from them, and the page.
Nothing is printed or drawn that is not in the record first.
"""

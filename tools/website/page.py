"""A page that is generated."""

from yolodsc.values import Value


class GeneratedPage(Value):
    """A page of the site that no file of the repository holds.

    Attributes
    ----------
    path
        Relative to ``docs``.
    title
        In the navigation.
    text
        Markdown.
    """

    path: str
    title: str
    text: str

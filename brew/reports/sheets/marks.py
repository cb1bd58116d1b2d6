"""By what a file is known as a contact sheet that Brew wrote."""

MARK = "a contact sheet by Brew"

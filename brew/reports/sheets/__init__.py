"""Contact sheets of records: pictures with their classes, boxes and masks, as PNG, SVG or one HTML page."""

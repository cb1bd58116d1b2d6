"""Pictures whose labels stand in other files: boxes (COCO, Pascal VOC, YOLO) and masks, pixel by pixel."""

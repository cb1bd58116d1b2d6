"""What a pile of files holds: class folders, archives, lists, annotations, arrays, each as one source of items."""

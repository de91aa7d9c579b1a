"""akstwin: the digital twin of Azure ML's AKS model serving. Not affiliated with Microsoft."""

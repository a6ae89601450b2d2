"""What leaves a store for another place: stores joined, deposits for papers."""

"""What the instruments and the published models look like on disk: passbands, SALT files, kcor."""

"""Whatever can be checked: the implementations that come with the plugin, and the user's own."""

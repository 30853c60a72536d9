"""The U-Net and what its weights need to be used rightly."""

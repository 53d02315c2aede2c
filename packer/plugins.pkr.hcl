# Only for Packer 1.7 and newer, which fetches its builders: `packer init packer`. scripts/test leaves this file out
# where Packer is older and has them built in.

packer {
  required_version = ">= 1.7.0"

  required_plugins {
    amazon = {
      source  = "github.com/hashicorp/amazon"
      version = "1.3.3"
    }
    qemu = {
      source  = "github.com/hashicorp/qemu"
      version = "1.1.0"
    }
  }
}

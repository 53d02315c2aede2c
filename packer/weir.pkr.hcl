# The golden image of weir: one build, the same steps in each place. README.md beside it says how to run it.

build {
  sources = [
    "source.qemu.weir",
    "source.amazon-ebs.weir",
  ]

  # Here: collect and verify what goes in.
  provisioner "shell-local" {
    environment_vars = ["SOURCE_DATE_EPOCH=${var.source_date_epoch}"]
    inline = [
      "cd '${path.root}/..' && scripts/image/payload --to '.image/payload-${source.type}' --weir '${var.weir_binary}' --weir-url '${var.weir_url}' --weir-sha256 '${var.weir_sha256}' --roles '${var.roles}' --debian-snapshot '${var.debian_snapshot}' --arangodb '${var.arangodb_version}'",
    ]
  }

  # There: what the base does at its first boot must not get in the way.
  provisioner "shell" {
    inline = [
      "cloud-init status --wait || true",
      "install -d -m 0700 /tmp/weir-image",
    ]
  }

  provisioner "file" {
    source      = "${path.root}/../.image/payload-${source.type}/"
    destination = "/tmp/weir-image"
    generated   = true
  }

  provisioner "shell" {
    inline = [
      "sudo bash /tmp/weir-image/provision",
      "sudo rm -rf /tmp/weir-image",
    ]
  }

  provisioner "file" {
    direction   = "download"
    source      = "/etc/weir/image.json"
    destination = "${path.root}/../.image/image-${source.type}.json"
  }

  post-processor "manifest" {
    output     = "${path.root}/../.image/packer-manifest.json"
    strip_path = true
    custom_data = {
      version = var.image_version
      roles   = var.roles
    }
  }
}

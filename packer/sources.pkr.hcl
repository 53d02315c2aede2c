# The two places an image is built in. Both begin with Debian's own image for that place.

source "qemu" "weir" {
  iso_url      = var.qemu_base_url
  iso_checksum = var.qemu_base_checksum
  disk_image   = true

  accelerator    = var.qemu_accelerator
  cpus           = 2
  memory         = 2048
  disk_size      = var.qemu_disk_size
  disk_interface = "virtio"
  net_device     = "virtio-net"
  headless       = true

  # cloud-init of the base fetches the build's key from here. The private half lies outside of what is handed out.
  http_directory = "${var.qemu_seed}/http"
  qemuargs = [
    ["-smbios", "type=1,serial=ds=nocloud-net;s=http://{{ .HTTPIP }}:{{ .HTTPPort }}/"],
  ]

  ssh_username         = "debian"
  ssh_private_key_file = "${var.qemu_seed}/key"
  ssh_timeout          = "15m"
  shutdown_command     = "sudo systemctl poweroff"

  output_directory = var.qemu_output
  vm_name          = "weir-${var.image_version}.qcow2"
  format           = "qcow2"
}

source "amazon-ebs" "weir" {
  region          = var.aws_region
  instance_type   = var.aws_instance_type
  ami_name        = "weir-${var.image_version}"
  ami_description = "A node of weir ${var.image_version}. /etc/weir/image.json says what it is made of."

  source_ami_filter {
    filters = {
      name                = var.aws_base_ami_name
      architecture        = "x86_64"
      root-device-type    = "ebs"
      virtualization-type = "hvm"
    }
    # Debian's account.
    owners      = ["136693071363"]
    most_recent = false
  }

  encrypt_boot = true
  kms_key_id   = var.aws_kms_key_id
  ena_support  = true

  launch_block_device_mappings {
    device_name           = "/dev/xvda"
    volume_size           = 8
    volume_type           = "gp3"
    iops                  = 3000
    throughput            = 125
    delete_on_termination = true
  }

  ssh_username                          = "admin"
  ssh_clear_authorized_keys             = true
  temporary_security_group_source_cidrs = var.aws_ssh_from

  tags = {
    Name    = "weir-${var.image_version}"
    Version = var.image_version
    Roles   = var.roles
    BaseAmi = "{{ .SourceAMI }}"
  }
  run_tags = {
    Name = "weir-image-build"
  }
}

# What may differ between two builds. example.pkrvars.hcl shows what has to be said.

variable "image_version" {
  type        = string
  description = "The version of the image, in its name: that of weir, perhaps with a number behind it."
}

variable "source_date_epoch" {
  type        = string
  default     = ""
  description = "The time of the manifest, in seconds. Without it, that of the commit."
}

# What is in it

variable "roles" {
  type        = string
  default     = "nats,gateway,api"
  description = "What starts on the node, of nats, gateway, projector and api."
}

variable "weir_binary" {
  type        = string
  default     = "target/release/weir"
  description = "The binary of weir, built on Debian 12, from the repository's folder on."
}

variable "weir_url" {
  type        = string
  default     = ""
  description = "Where to fetch the binary from instead. Needs weir_sha256."
}

variable "weir_sha256" {
  type        = string
  default     = ""
  description = "What the binary's SHA-256 must be."
}

variable "debian_snapshot" {
  type        = string
  default     = ""
  description = "Take Debian's packages as they were at this time, as 20261128T000000Z. Without it, as they are."
}

variable "arangodb_version" {
  type        = string
  default     = ""
  description = "Also install this version of ArangoDB, as 3.12.4-1. Its licence is yours to look at."
}

# The virtual machine

variable "qemu_base_url" {
  type        = string
  default     = "https://cloud.debian.org/images/cloud/bookworm/20260909-2596/debian-12-genericcloud-amd64-20260909-2596.qcow2"
  description = "Debian's own cloud image."
}

variable "qemu_base_checksum" {
  type        = string
  default     = "sha512:08fea112563461f251f3c95a5c5cf8cb25eb60f74cec03e85a97ff91d3efef3059d35837598bbb476008f20db6d3bdc7143c5f2f2a9a6da394a0acc601fd5986"
  description = "Its SHA-512, as Debian's signed SHA512SUMS has it."
}

variable "qemu_accelerator" {
  type        = string
  default     = "kvm"
  description = "kvm, or tcg where there is none."
}

variable "qemu_disk_size" {
  type    = string
  default = "8G"
}

variable "qemu_output" {
  type    = string
  default = ".image/qemu"
}

variable "qemu_seed" {
  type        = string
  default     = ".image/seed"
  description = "The folder that scripts/image/seed has made."
}

# EC2

variable "aws_region" {
  type    = string
  default = "eu-central-1"
}

variable "aws_instance_type" {
  type    = string
  default = "c6i.large"
}

variable "aws_base_ami_name" {
  type        = string
  default     = "debian-12-amd64-20260909-2596"
  description = "The name of one of Debian's own images, and no pattern: the same base every time."
}

variable "aws_ssh_from" {
  type        = list(string)
  description = "From where packer reaches the instance it builds in, as [\"192.0.2.7/32\"]."
}

variable "aws_kms_key_id" {
  type        = string
  default     = ""
  description = "The key that encrypts the image. Without it, the account's own for EBS."
}

# packer build -var-file=packer/example.pkrvars.hcl packer
image_version = "0.1.0"
aws_ssh_from  = ["192.0.2.7/32"]

#!/bin/sh
# Into the folder it is run in: the packages by Maven, the scripts compiled against them. The older of Brevo's two differs by its names.
set -e
mvn -q dependency:build-classpath -Dmdep.outputFile=classpath
sed -e 's/brevoApi/sibApi/g; s/brevoModel/sibModel/g; s/brevo\./sendinblue./g; s/BrevoCalls/SibCalls/g' BrevoCalls.java > SibCalls.java
javac -cp "$(cat classpath)" -d . Calls.java ResendCalls.java BrevoCalls.java SibCalls.java
[ -f store.p12 ] || keytool -genkeypair -alias a -keyalg EC -groupname secp256r1 -dname CN=api.resend.com \
  -ext san=dns:api.resend.com -validity 30 -storetype PKCS12 -keystore store.p12 -storepass secret

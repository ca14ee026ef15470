from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('workshop', '0004_payment'),
    ]

    operations = [
        migrations.CreateModel(
            name='Preset',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('values', models.CharField(max_length=20, unique=True)),
                ('speed', models.IntegerField(default=1)),
            ],
        ),
    ]
